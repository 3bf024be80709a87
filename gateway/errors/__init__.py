"""Everything that can go wrong on purpose. One tree, one envelope (`http/errors.py` renders it).

GatewayError                  500 server_error            internal_error
├── RequestError              400 invalid_request_error   the caller's own fault: always keeps its status
│   ├── InvalidJSON           400                         invalid_json
│   ├── MissingParameter      400                         missing_required_parameter
│   ├── InvalidType           400                         invalid_type
│   ├── InvalidValue          400                         invalid_value
│   ├── InvalidName           400                         invalid_name
│   ├── AuthenticationError   401 authentication_error    invalid_api_key
│   │   └── MissingKey        401                         missing_api_key
│   ├── InsufficientScope     403 permission_error        insufficient_scope
│   ├── NotFound              404 not_found_error         not_found
│   │   └── ModelNotFound     404                         model_not_found
│   ├── MethodNotAllowed      405                         method_not_allowed
│   ├── RequestTimeout        408                         request_timeout
│   ├── Conflict              409                         conflict
│   │   └── FilesAtFault      409                         configuration_error; every fault in `x_gateway`
│   ├── TooLarge              413                         request_too_large
│   ├── UnsupportedMediaType  415                         unsupported_media_type
│   ├── RateLimited           429 rate_limit_error        rate_limit_exceeded; with Retry-After
│   ├── HeadersTooLarge       431                         request_header_fields_too_large
│   └── UpstreamRejected      400                         the upstream's own code, e.g. context_length_exceeded
├── CallerGone                499                         client_closed_request (seen in logs only)
├── Draining                  503                         shutting_down
├── Overloaded                503                         overloaded: refused at once instead of late
├── StoreUnavailable          503                         store_unavailable: an admin's write that cannot be kept
├── NotWritable               503                         not_writable: the disk takes no writes
├── DiskFull                  507                         insufficient_storage
├── UpstreamError             502 upstream_error          upstream_error
│   ├── UpstreamUnavailable   502                         upstream_unavailable
│   ├── UpstreamTLSError      502                         upstream_tls_error
│   ├── UpstreamAuthFailed    502                         upstream_auth_failed
│   ├── UpstreamTimeout       504                         upstream_timeout: nothing came before its deadline
│   ├── UpstreamStalled       504                         upstream_stalled: it began and fell silent
│   ├── UpstreamTruncated     502                         upstream_truncated: it ended without a finish
│   ├── UpstreamProtocolError 502                         upstream_protocol_error: it cannot be read
│   ├── UpstreamEmpty         502                         empty_answer: it finished and said nothing
│   └── UpstreamLimited       429 rate_limit_error        rate_limit_exceeded; with Retry-After
├── SimliError                502 simli_error             simli_error; what Simli said in `x_gateway.simli`
│   ├── SimliUnavailable      502                         simli_unavailable: not reached, or 5xx
│   ├── SimliTimeout          504                         simli_timeout
│   ├── SimliOverloaded       503                         simli_overloaded: it says so, with whatever status
│   ├── SimliLimited          429 rate_limit_error        simli_limited; with Retry-After
│   ├── SimliAuthFailed       502                         simli_auth_failed: it refuses our key
│   ├── SimliBilling          402                         simli_billing
│   ├── SimliRejected         422                         simli_rejected: a value that it does not take
│   ├── SimliNotFound         404                         simli_not_found
│   └── SimliProtocolError    502                         simli_protocol_error: it cannot be read
├── NotReachable              502 reach_error             not_reachable: by the public URL, before a session starts
│   ├── NotPublic             424                         not_public: a URL that Simli cannot be given
│   ├── NotThisGateway        502                         not_this_gateway: something else answers there
│   ├── KeyNotTaken           502                         key_not_taken: what Simli would present is refused
│   ├── StreamBuffered        502                         stream_buffered: it comes in one piece
│   ├── StreamBroken          502                         stream_broken: it is no whole stream
│   ├── FirstWordLate         504                         first_word_late
│   └── NothingToSay          502                         nothing_to_say: only an apology would be heard
├── PeerError                 502 peer_error              peer_error: a face that is met over WebRTC
│   ├── NoAnswer              504                         no_answer: to the offer
│   ├── NoConnection          502                         no_connection: ICE or DTLS failed
│   ├── NoStart               504                         no_start: START never came
│   ├── NoPicture             504                         no_picture: nothing was seen
│   ├── NoSound               504                         no_sound: nothing was heard
│   ├── SessionRefused        502                         session_refused: ERROR, with Simli's words
│   ├── SessionLimited        429 rate_limit_error        session_limited: RATE
│   ├── SessionDropped        502                         session_dropped: the line broke
│   └── SessionEnded          502                         session_ended: by Simli, before its time
├── SmokeError                500                         smoke_error: a run of `gateway smoke`
│   ├── AdminRefused          403 permission_error        admin_refused: by the gateway's admin API
│   ├── GatewayGone           502                         gateway_gone
│   └── RunLate               504                         run_late: it took longer than it may
├── KnowledgeError            500                         ingesting or opening a collection failed
│   └── ChromaUnavailable     503                         chroma_unavailable: CHROMA_URL's server is away
└── ConfigurationError        --                          settings and agent files: every fault at once

Statuses and types are OpenAI's: https://platform.openai.com/docs/guides/error-codes
"""

from gateway.errors.configuration import ConfigurationError, Fault
from gateway.errors.peer import (
    NoAnswer,
    NoConnection,
    NoPicture,
    NoSound,
    NoStart,
    PeerError,
    SessionDropped,
    SessionEnded,
    SessionLimited,
    SessionRefused,
)
from gateway.errors.reach import (
    FirstWordLate,
    KeyNotTaken,
    NothingToSay,
    NotPublic,
    NotReachable,
    NotThisGateway,
    StreamBroken,
    StreamBuffered,
)
from gateway.errors.request import (
    AuthenticationError,
    Conflict,
    FilesAtFault,
    HeadersTooLarge,
    InsufficientScope,
    InvalidJSON,
    InvalidName,
    InvalidType,
    InvalidValue,
    MethodNotAllowed,
    MissingKey,
    MissingParameter,
    ModelNotFound,
    NotFound,
    RateLimited,
    RequestError,
    RequestTimeout,
    TooLarge,
    UnsupportedMediaType,
    UpstreamRejected,
)
from gateway.errors.root import (
    CallerGone,
    ChromaUnavailable,
    DiskFull,
    Draining,
    GatewayError,
    KnowledgeError,
    NotWritable,
    Overloaded,
    StoreUnavailable,
)
from gateway.errors.simli import (
    SimliAuthFailed,
    SimliBilling,
    SimliError,
    SimliLimited,
    SimliNotFound,
    SimliOverloaded,
    SimliProtocolError,
    SimliRejected,
    SimliTimeout,
    SimliUnavailable,
)
from gateway.errors.smoke import AdminRefused, GatewayGone, RunLate, SmokeError
from gateway.errors.upstream import (
    UpstreamAuthFailed,
    UpstreamEmpty,
    UpstreamError,
    UpstreamLimited,
    UpstreamProtocolError,
    UpstreamStalled,
    UpstreamTimeout,
    UpstreamTLSError,
    UpstreamTruncated,
    UpstreamUnavailable,
)

__all__ = [
    "AdminRefused",
    "AuthenticationError",
    "CallerGone",
    "ChromaUnavailable",
    "ConfigurationError",
    "Conflict",
    "DiskFull",
    "Draining",
    "Fault",
    "FilesAtFault",
    "FirstWordLate",
    "GatewayError",
    "GatewayGone",
    "HeadersTooLarge",
    "InsufficientScope",
    "InvalidJSON",
    "InvalidName",
    "InvalidType",
    "InvalidValue",
    "KeyNotTaken",
    "KnowledgeError",
    "MethodNotAllowed",
    "MissingKey",
    "MissingParameter",
    "ModelNotFound",
    "NoAnswer",
    "NoConnection",
    "NoPicture",
    "NoSound",
    "NoStart",
    "NotFound",
    "NotPublic",
    "NotReachable",
    "NotThisGateway",
    "NotWritable",
    "NothingToSay",
    "Overloaded",
    "PeerError",
    "RateLimited",
    "RequestError",
    "RequestTimeout",
    "RunLate",
    "SessionDropped",
    "SessionEnded",
    "SessionLimited",
    "SessionRefused",
    "SimliAuthFailed",
    "SimliBilling",
    "SimliError",
    "SimliLimited",
    "SimliNotFound",
    "SimliOverloaded",
    "SimliProtocolError",
    "SimliRejected",
    "SimliTimeout",
    "SimliUnavailable",
    "SmokeError",
    "StoreUnavailable",
    "StreamBroken",
    "StreamBuffered",
    "TooLarge",
    "UnsupportedMediaType",
    "UpstreamAuthFailed",
    "UpstreamEmpty",
    "UpstreamError",
    "UpstreamLimited",
    "UpstreamProtocolError",
    "UpstreamRejected",
    "UpstreamStalled",
    "UpstreamTLSError",
    "UpstreamTimeout",
    "UpstreamTruncated",
    "UpstreamUnavailable",
]
