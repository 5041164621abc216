"""Print the SBOM of the wheels that are named in LOCKs: sbom.py NAME VERSION WHEELS LOCK...

It is CycloneDX's JSON. A wheel without the text of its licence ends it: nobody may pass such a wheel on.
The same wheels make the same bytes: the time is SOURCE_DATE_EPOCH, and the serial number follows from
the contents.
"""

import hashlib
import os
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

EPOCH = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), timezone.utc)
LICENCE_TEXTS = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
CLASSIFIER = "License :: OSI Approved :: "


@dataclass(frozen=True)
class Wheel:
    """What a wheel says of itself."""

    file: str
    sha256: str
    name: str
    version: str
    licence: str


def read(path: Path) -> Wheel:
    """Read a wheel; SystemExit if it lacks a licence or its text."""
    with zipfile.ZipFile(path) as wheel:
        names = [PurePosixPath(name) for name in wheel.namelist()]
        own = [name for name in names if name.parts[0].endswith(".dist-info")]
        said = HeaderParser().parsestr(wheel.read(f"{own[0].parts[0]}/METADATA").decode())
    licence = licence_of(said)
    if not licence or not any(name.name.upper().startswith(LICENCE_TEXTS) for name in own):
        sys.exit(f"sbom: {path.name} has no licence, or not its text")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(path.name, digest, said["Name"], said["Version"], licence)


def licence_of(said: Message) -> str:
    """An expression of SPDX if there is one, else the words that stand for it."""
    classified = [one for one in said.get_all("Classifier", []) if one.startswith(CLASSIFIER)]
    words = [said["License-Expression"], said["License"], *classified]
    return str(next((one for one in words if one), "")).removeprefix(CLASSIFIER)


def component(wheels: list[Wheel]) -> Component:
    """One version of a package, with each of its files."""
    first = wheels[0]
    purl = PackageURL("pypi", None, first.name, first.version)
    files = (
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(f"wheels/{wheel.file}"),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
        )
        for wheel in wheels
    )
    return Component(
        name=first.name, version=first.version, bom_ref=str(purl), purl=purl, external_references=files,
        licenses=[_licence(first.licence)],
    )  # fmt: skip


def _licence(words: str) -> License:
    return LicenseFactory().make_from_string(words)


def sbom(name: str, version: str, wheels: Iterable[Wheel]) -> str:
    """The document as text."""
    versions = defaultdict(list)
    for wheel in sorted(wheels, key=lambda one: one.file):
        versions[wheel.name, wheel.version].append(wheel)
    bom = Bom(components=[component(files) for files in versions.values()])
    bom.metadata.component = Component(
        name=name, version=version, type=ComponentType.APPLICATION, bom_ref=name,
        licenses=[_licence("Apache-2.0")],
    )  # fmt: skip
    bom.metadata.timestamp = EPOCH
    bom.register_dependency(bom.metadata.component, bom.components)
    contents = repr((name, version, versions))
    bom.serial_number = uuid5(NAMESPACE_URL, contents)
    return JsonV1Dot6(bom).output_as_string(indent=2)


if __name__ == "__main__":
    name, version, folder, *locks = sys.argv[1:]
    locked = "".join(Path(lock).read_text() for lock in locks)
    found = [read(path) for path in sorted(Path(folder).glob("*.whl"))]
    print(sbom(name, version, (wheel for wheel in found if wheel.sha256 in locked)))
