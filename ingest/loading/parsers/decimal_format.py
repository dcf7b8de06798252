"""Writes numbers into the digit places of a format code: `#,##0.00`, `000-0000`, `0.0E+00`, `# ?/?`."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from itertools import takewhile

# Digits that a double holds in every case: what follows them is noise.
PRECISE = Context(prec=15, rounding=ROUND_HALF_UP)
COMMON = (("digits", "0"), ("digits", "#"), ("comma", ""), ("sign", "."))
WIDE = Context(prec=400, rounding=ROUND_HALF_UP)
MAX_PLACES = 30

Token = tuple[str, str]


def general(value: float) -> str:
    """Display as `General` does in a cell that is wide enough; of a whole number, which may be an identifier, write
    every digit."""
    size = abs(value)
    if value == int(value) and size < 1e15:
        return str(int(value))
    if 1e-9 < size < 1e11:
        digits = PRECISE.create_decimal_from_float(value)
        places = max(0, 10 - max(1, len(str(int(size)))))
        return _trimmed(f"{WIDE.quantize(digits, Decimal(1).scaleb(-places)):f}")
    mantissa, _, exponent = f"{value:.5E}".partition("E")
    return f"{_trimmed(mantissa)}E{exponent}"


def _trimmed(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def literal(kind: str, text: str) -> str:
    if kind == "space":
        return " "
    return text if kind in ("quoted", "escaped", "literal") else ""


class FractionFormat:
    """`# ?/?`, `# ??/??`, `# ?/8`."""

    def __init__(self, tokens: list[Token]) -> None:
        slash = tokens.index(("sign", "/"))
        numerator = slash
        while numerator and tokens[numerator - 1][0] == "digits":
            numerator -= 1
        below = (text for kind, text in tokens[slash + 1 :] if kind in ("digits", "literal"))
        written = "".join(takewhile(lambda text: text in "0#?" or text.isdigit(), below))
        self._whole = any(kind == "digits" for kind, _ in tokens[:numerator])
        self._denominator = int(written) if written.isdigit() and int(written) else 0
        self._most = 10 ** min(len(written) or 1, 5) - 1
        ends = [at for at, (kind, _) in enumerate(tokens) if kind == "digits"]
        self._before = "".join(literal(*token) for token in tokens[: ends[0]])

    def display(self, value: float) -> str:
        exact = Fraction(PRECISE.create_decimal_from_float(value))
        if self._denominator:
            near = Fraction(round(exact * self._denominator), self._denominator)
        else:
            near = exact.limit_denominator(self._most)
        whole, rest = divmod(near, 1) if self._whole else (0, near)
        if not rest:
            return f"{self._before}{whole}"
        over, under = rest.numerator, rest.denominator
        if self._denominator:
            over, under = over * (self._denominator // under), self._denominator
        return f"{self._before}{f'{whole} ' if whole else ''}{over}/{under}"


class DecimalFormat:
    """Digits with literals among them, thousands, percent and exponents."""

    def __init__(self, tokens: list[Token]) -> None:
        places = [at for at, (kind, _) in enumerate(tokens) if kind == "digits"]
        point = tokens.index(("sign", ".")) if ("sign", ".") in tokens else len(tokens)
        self._power = next((at for at, (kind, _) in enumerate(tokens) if kind == "exponent"), len(tokens))
        last = max((at for at in places if at < min(point, self._power)), default=-1)
        commas = [at for at, token in enumerate(tokens) if token == ("sign", ",")]
        self._grouped = any(places[0] < at < last for at in commas)
        end = max((at for at in places if at < self._power), default=-1)
        trailing = [at for at in commas if at > end or last < at < point]
        scale = 2 * tokens.count(("sign", "%")) - 3 * len(trailing)
        self._scale = Decimal(1).scaleb(scale)
        self._tokens = [token if token != ("sign", ",") else ("comma", "") for token in tokens]
        self._point = min(point, self._power) if point < self._power else self._power
        self._wholes = [at for at in places if at < self._point]
        self._decimals = [at for at in places if self._point < at < self._power][:MAX_PLACES]
        self._powers = [at for at in places if at > self._power]
        self._places = Decimal(1).scaleb(-len(self._decimals))
        self._around = self._common()

    def _common(self) -> tuple[str, str] | None:
        """Return what stands before and after the digits of `0`, `#,##0.00` and their kind, which are most."""
        kinds = "".join(self._tokens[at][1] for at in self._wholes)
        ends = (self._decimals or self._wholes)[-1:]
        if self._powers or not kinds.endswith("0") or kinds.strip("#") != "0" or ("#" in kinds and not self._grouped):
            return None
        inside = self._tokens[self._wholes[0] : ends[0] + 1]
        if any(token not in COMMON for token in inside) or any(self._tokens[at][1] != "0" for at in self._decimals):
            return None
        parts = [self._beside(at, 0) for at in range(len(self._tokens))]
        return "".join(parts[: self._wholes[0]]), "".join(parts[ends[0] + 1 :])

    def display(self, value: float) -> str:
        number = WIDE.multiply(PRECISE.create_decimal_from_float(value), self._scale)
        if self._around:
            before, after = self._around
            rounded = WIDE.quantize(number, self._places)
            return f"{before}{rounded:,f}{after}" if self._grouped else f"{before}{rounded:f}{after}"
        exponent = 0
        if self._powers:
            number, exponent = self._mantissa(number)
        rounded = WIDE.quantize(number, self._places)
        whole, _, decimals = f"{rounded:f}".partition(".")
        shown = self._fill(self._wholes, whole.lstrip("0"), grouped=self._grouped)
        kept = decimals.rstrip("0")
        for place, at in enumerate(self._decimals):
            kind = self._tokens[at][1]
            shown[at] = decimals[place] if place < len(kept) or kind == "0" else (" " if kind == "?" else "")
        if self._powers:
            shown |= self._fill(self._powers, str(abs(exponent)).lstrip("0"), grouped=False)
        return "".join(shown[at] if at in shown else self._beside(at, exponent) for at in range(len(self._tokens)))

    def _mantissa(self, number: Decimal) -> tuple[Decimal, int]:
        if not number:
            return number, 0
        step = max(1, len(self._wholes))
        exponent = number.adjusted() // step * step
        mantissa = number.scaleb(-exponent)
        if WIDE.quantize(mantissa, self._places) >= 10**step:
            return mantissa.scaleb(-step), exponent + step
        return mantissa, exponent

    def _fill(self, places: list[int], digits: str, grouped: bool) -> dict[int, str]:
        """Put digits into their places from the right; the first place takes all that are left."""
        shown: dict[int, str] = {}
        written = 0
        for at in reversed(places):
            first = at == places[0]
            some = digits if first else digits[-1:]
            digits = "" if first else digits[:-1]
            some = some or {"0": "0", "?": " "}.get(self._tokens[at][1], "")
            text = ""
            for digit in reversed(some):
                text = digit + ("," if grouped and written and written % 3 == 0 and digit != " " else "") + text
                written += 1
            shown[at] = text
        return shown

    def _beside(self, at: int, exponent: int) -> str:
        kind, text = self._tokens[at]
        if kind == "exponent":
            return "E" + ("-" if exponent < 0 else "+" if text[1] == "+" else "")
        if kind == "sign":
            return text if text in ".%" else ""
        return literal(kind, text)
