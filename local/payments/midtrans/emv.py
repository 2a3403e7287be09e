"""The text of a QRIS code: EMVCo's merchant-presented tag-length-value with its CRC."""

from __future__ import annotations

_POLYNOMIAL = 0x1021
_CRC_TAG = "63"
_VALUE_CHARS_MAX = 99


def crc16(text: str) -> str:
    """CRC-16/CCITT-FALSE (initial FFFF, no reflection) in four upper-case hex digits."""
    register = 0xFFFF
    for byte in text.encode("ascii"):
        register ^= byte << 8
        for _ in range(8):
            register <<= 1
            if register & 0x10000:
                register = (register ^ _POLYNOMIAL) & 0xFFFF
    return f"{register:04X}"


def field(tag: str, value: str) -> str:
    """One field: tag, two digits of length, value."""
    assert len(value) <= _VALUE_CHARS_MAX
    return f"{tag}{len(value):02}{value}"


def is_valid(text: str) -> bool:
    """Whether the CRC at the end is that of everything before it, its own tag included."""
    head, crc = text[:-4], text[-4:]
    return head.endswith(_CRC_TAG + "04") and crc16(head) == crc


def parse(text: str) -> dict[str, str]:
    """The top fields by tag. Errors: ValueError where a length leads past the end."""
    fields: dict[str, str] = {}
    position = 0
    while position < len(text):
        tag, length = text[position : position + 2], int(text[position + 2 : position + 4])
        value = text[position + 4 : position + 4 + length]
        if len(value) != length:
            raise ValueError(f"field {tag} is cut short")
        fields[tag] = value
        position += 4 + length
    return fields


def qris_text(*, amount_rupiah: int, reference: str, acquirer: str) -> str:
    """A dynamic code for one payment; the merchant in it is made up."""
    host = "COM.GO-JEK.WWW" if acquirer == "gopay" else "ID.CO.SHOPEE.WWW"
    merchant = (
        field("00", host)
        + field("01", "936009140000000001")
        + field("02", "G000000001")
        + field("03", "UMI")
    )
    national = field("00", "ID.CO.QRIS.WWW") + field("02", "ID1000000000001") + field("03", "UMI")
    text = "".join(
        (
            *(field("00", "01"), field("01", "12"), field("26", merchant), field("51", national)),
            *(field("52", "7372"), field("53", "360"), field("54", str(amount_rupiah))),
            *(field("58", "ID"), field("59", "SIMULATED MERCHANT"), field("60", "JAKARTA")),
            *(field("61", "10110"), field("62", field("05", reference[:25]) + field("07", "A01"))),
            _CRC_TAG + "04",
        )
    )
    return text + crc16(text)
