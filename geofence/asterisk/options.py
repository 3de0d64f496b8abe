"""Options that Asterisk knows in objects of pjsip.conf, in any version up to 23."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TRANSPORT = _words(
    """
    type protocol bind async_operations ca_list_file ca_list_path cert_file priv_key_file password
    external_signaling_address external_signaling_port external_signaling_hostname
    external_media_address domain verify_server verify_client require_client_cert
    allow_wildcard_certs method tcp_keepalive_enable tcp_keepalive_idle_time
    tcp_keepalive_interval_time tcp_keepalive_probe_count cipher local_net tos cos
    websocket_write_timeout allow_reload symmetric_transport
    """
)
AOR = _words(
    """
    type minimum_expiration maximum_expiration default_expiration qualify_frequency qualify_timeout
    qualify_2xx_only authenticate_qualify max_contacts remove_existing remove_unavailable contact
    mailboxes voicemail_extension outbound_proxy support_path
    """
)
IDENTIFY = _words(
    """
    type endpoint match match_header match_request_uri srv_lookups
    """
)
REGISTRATION = _words(
    """
    type server_uri client_uri contact_user contact_header_params transport outbound_proxy
    expiration max_random_initial_delay retry_interval forbidden_retry_interval fatal_retry_interval
    max_retries auth_rejection_permanent outbound_auth support_path support_outbound
    security_negotiation security_mechanisms line endpoint user_agent
    """
)
ENDPOINT = _words(
    """
    type context disallow allow dtmf_mode rtp_ipv6 rtp_symmetric ice_support use_ptime force_rport
    rewrite_contact transport outbound_proxy moh_suggest 100rel timers timers_min_se
    timers_sess_expires auth outbound_auth aors media_address bind_rtp_to_media_address identify_by
    direct_media direct_media_method trust_connected_line send_connected_line connected_line_method
    direct_media_glare_mitigation disable_direct_media_on_nat callerid callerid_privacy callerid_tag
    trust_id_inbound trust_id_outbound send_pai send_rpid rpid_immediate send_diversion
    send_history_info mailboxes voicemail_extension aggregate_mwi mwi_subscribe_replaces_unsolicited
    media_encryption use_avpf force_avp media_use_received_transport rtp_keepalive rtp_timeout
    rtp_timeout_hold rtp_port_start rtp_port_end one_touch_recording inband_progress call_group
    pickup_group named_call_group named_pickup_group device_state_busy_at t38_udptl t38_udptl_ec
    t38_udptl_maxdatagram fax_detect fax_detect_timeout t38_udptl_nat t38_udptl_ipv6
    t38_bind_udptl_to_media_address tone_zone language record_on_feature record_off_feature
    allow_transfer user_eq_phone moh_passthrough sdp_owner sdp_session tos_audio tos_video cos_audio
    cos_video allow_subscribe sub_min_expiry from_user from_domain mwi_from_user rtp_engine
    dtls_verify dtls_rekey dtls_auto_generate_cert dtls_cert_file dtls_private_key dtls_cipher
    dtls_ca_file dtls_ca_path dtls_setup dtls_fingerprint srtp_tag_32 media_encryption_optimistic
    g726_non_standard redirect_method follow_redirect_methods set_var message_context accountcode
    deny permit acl contact_deny contact_permit contact_acl subscribe_context contact_user
    preferred_codec_only asymmetric_rtp_codec rtcp_mux allow_overlap overlap_context
    refer_blind_progress notify_early_inuse_ringing max_audio_streams max_video_streams bundle
    webrtc incoming_mwi_mailbox follow_early_media_fork accept_multiple_sdp_answers
    suppress_q850_reason_headers ignore_183_without_sdp incoming_call_offer_pref
    outgoing_call_offer_pref codec_prefs_incoming_offer codec_prefs_outgoing_offer
    codec_prefs_incoming_answer codec_prefs_outgoing_answer stir_shaken stir_shaken_profile
    allow_unauthenticated_options geoloc_incoming_call_profile geoloc_outgoing_call_profile
    security_mechanisms security_negotiation send_aoc tenantid suppress_moh_on_sendonly
    """
)
KNOWN = {
    "transport": TRANSPORT,
    "aor": AOR,
    "identify": IDENTIFY,
    "registration": REGISTRATION,
    "endpoint": ENDPOINT,
}
NOT_IN_ALL_VERSIONS = frozenset(["external_signaling_hostname"])
"""Options for which versions before 23 drop a transport."""
TYPES = _words(
    """
    acl aor asterisk-publication auth contact domain_alias endpoint global identify
    inbound-publication outbound-publish phoneprov registration resource_list resource-list system
    transport
    """
)
"""Types of pjsip.conf, as far as a slip of case is worth a word."""
