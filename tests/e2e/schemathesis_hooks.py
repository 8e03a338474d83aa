"""Loaded by schemathesis (SCHEMATHESIS_HOOKS): media types of plain bytes, which it does not know by itself."""

import schemathesis

for media_type in ("application/offset+octet-stream", "application/x-tar"):
    @schemathesis.serializer(media_type)
    def as_bytes(context, value):
        return value if isinstance(value, bytes) else str(value).encode()
