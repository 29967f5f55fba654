"""The gRPC servers of the process: their addresses, credentials, limits and services."""

from pathlib import Path
from typing import Final, TypeAlias

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from firstseen.v1 import match_pb2_grpc, review_pb2_grpc
from server.boundary import Boundary
from server.config import Address, ConfigError, LimitsConfig, MatchConfig, ReviewConfig
from server.ports import ListenError, problem_of
from server.review import AllowedNames, ReviewService
from server.service import MatchService
from server.telemetry import CallCounts

MATCH_SERVICE: Final = "firstseen.v1.MatchService"
REVIEW_SERVICE: Final = "firstseen.v1.ReviewService"
HEALTH_SERVICE: Final = "grpc.health.v1.Health"
# A connection that says nothing for this long is not a client.
HANDSHAKE_TIMEOUT_MS: Final = 10_000
# Calls at once on one connection; a client that wants more uses streams or waits.
MAX_CALLS_PER_CONNECTION: Final = 128
MAX_METADATA_BYTES: Final = 16_384
# Calls at once on one listener, whatever they are: those whose message has not come yet are in no
# room of the boundary, and each holds memory. As many as 128 connections may have.
MAX_OPEN_CALLS: Final = 16_384

HealthServicer: TypeAlias = health.aio.HealthServicer  # type: ignore[attr-defined,name-defined]


class Listener:
    """One gRPC server on one address."""

    def __init__(
        self,
        name: str,
        config: MatchConfig | ReviewConfig,
        limits: LimitsConfig,
        grace_ms: int,
    ) -> None:
        """Makes a server; `bind` and `start` come after its services."""
        self._name = name
        self._config = config
        self.server = aio.server(
            options=_options(limits, grace_ms), maximum_concurrent_rpcs=_max_open_calls(limits)
        )
        self.address: Address = config.listen

    def bind(self) -> None:
        """Takes the address.

        Raises:
            ListenError: it is taken, or not this machine's, or the certificate is no good.
            ConfigError: a file cannot be read.
        """
        listen = self._config.listen
        credentials = self._credentials()
        try:
            if credentials is None:
                port = self.server.add_insecure_port(str(listen))
            else:
                port = self.server.add_secure_port(str(listen), credentials)
        except RuntimeError:
            port = 0
        if port == 0:
            cause = problem_of(self._name, listen)
            if not cause and credentials is not None:
                cause = "the certificate and key do not fit"
            raise ListenError(f"{self._name}.listen: cannot listen on {listen}: {cause}")
        self.address = listen.with_port(port)

    def _credentials(self) -> grpc.ServerCredentials | None:
        config = self._config
        if config.cert_file is None or config.key_file is None:
            return None
        pair = (
            _read(f"{self._name}.key_file", config.key_file),
            _read(f"{self._name}.cert_file", config.cert_file),
        )
        if isinstance(config, MatchConfig) or config.client_ca_file is None:
            return grpc.ssl_server_credentials([pair])
        client_ca = _read(f"{self._name}.client_ca_file", config.client_ca_file)
        return grpc.ssl_server_credentials([pair], client_ca, require_client_auth=True)


def match_listener(
    config: MatchConfig,
    limits: LimitsConfig,
    grace_ms: int,
    service: MatchService,
    health_servicer: HealthServicer,
    counts: CallCounts,
) -> Listener:
    """The public listener."""
    listener = Listener("match", config, limits, grace_ms)
    boundary = Boundary(listener.server, limits, counts)
    match_pb2_grpc.add_MatchServiceServicer_to_server(service, boundary)
    _add_common(boundary, health_servicer, MATCH_SERVICE, reflected=config.reflection)
    return listener


def review_listener(
    config: ReviewConfig,
    limits: LimitsConfig,
    grace_ms: int,
    service: ReviewService,
    health_servicer: HealthServicer,
    counts: CallCounts,
) -> Listener:
    """The listener of the unit's back office."""
    listener = Listener("review", config, limits, grace_ms)
    guards = {} if config.plaintext else {REVIEW_SERVICE: AllowedNames(config.allowed_names)}
    boundary = Boundary(listener.server, limits, counts, guards)
    review_pb2_grpc.add_ReviewServiceServicer_to_server(service, boundary)
    _add_common(boundary, health_servicer, REVIEW_SERVICE, reflected=config.reflection)
    return listener


def _add_common(
    boundary: Boundary, health_servicer: HealthServicer, service: str, *, reflected: bool
) -> None:
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, boundary)
    if reflected:
        names = (service, HEALTH_SERVICE, reflection.SERVICE_NAME)
        reflected_names = reflection.aio.ReflectionServicer(names)  # type: ignore[attr-defined]
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflected_names, boundary)


def _max_open_calls(limits: LimitsConfig) -> int:
    return max(MAX_OPEN_CALLS, 2 * (limits.max_calls_in_flight + limits.max_streams_in_flight))


def _options(limits: LimitsConfig, grace_ms: int) -> list[tuple[str, int]]:
    return [
        # All workers of a server listen on its port; `ports` keeps other servers out.
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.max_concurrent_streams", MAX_CALLS_PER_CONNECTION),
        ("grpc.max_connection_idle_ms", limits.max_connection_idle_ms),
        ("grpc.max_connection_age_ms", limits.max_connection_age_ms),
        ("grpc.max_connection_age_grace_ms", max(grace_ms, 1)),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS),
    ]


def _read(key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(key, f"{path}: {error.strerror}") from error
