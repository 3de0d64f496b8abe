"""GeoIP allowlist firewall for SIP and RTP.

The package reads as the pipeline: ``policy`` (rules on disk) and ``fetch`` (lists from the network)
meet in ``merge``; ``plan`` compares the result with what a ``backend`` observes in the kernel;
``apply`` commits, verifies and records it. ``verdict`` says what a fence does with a packet,
``explain`` why. ``operations`` puts the parts together, ``cli`` is the command line.
"""

__version__ = "0.1.0"
