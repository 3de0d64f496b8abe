"""Answers every SIP request with 401, as a PBX does; copied into the system that is walked on."""

import socket

serving = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
serving.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
serving.bind(("::", 5060))
while True:
    _, whence = serving.recvfrom(65535)
    serving.sendto(b"SIP/2.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", whence)
