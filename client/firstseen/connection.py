"""From a command's options to a connection: whom to call, how, and for how long."""

import ssl
from argparse import Namespace

from firstseen.options import Options, Plaintext, Tls


def connection(options: Namespace, no_server: str) -> tuple[str, Tls | Plaintext, Options]:
    """What a client is made of; ends the program when the options do not fit together.

    Args:
        options: those of a command that calls a server.
        no_server: what to say when none is named.

    Raises:
        OSError: a certificate or its key cannot be read.
    """
    if options.server is None:
        options.usage_error(no_server)
    behaviour = Options(
        deadline_ms=max(1, round(options.timeout * 1000)),
        dihedral=not options.no_dihedral,
        exact_when_undecodable=options.exact_when_undecodable,
    )
    return options.server, _security(options), behaviour


def _security(options: Namespace) -> Tls | Plaintext:
    if options.plaintext:
        if options.ca or options.cert or options.key:
            options.usage_error("--plaintext: not with --ca, --cert or --key")
        return Plaintext()
    if bool(options.cert) != bool(options.key):
        options.usage_error("--cert and --key belong together")
    read = {name: getattr(options, name) for name in ("ca", "key", "cert")}
    pem = {name: path.read_bytes() if path else None for name, path in read.items()}
    try:
        # gRPC itself would only log, and then reach nobody.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if options.ca:
            context.load_verify_locations(options.ca)
        if options.cert:
            context.load_cert_chain(options.cert, options.key, password="")  # never asks for one
    except (ssl.SSLError, ValueError):
        options.usage_error("--ca, --cert or --key: not PEM, or the key is not the certificate's")
    return Tls(pem["ca"], pem["key"], pem["cert"])
