"""Apache Kafka's pinned release as a set of jars on this machine.

Owns: where the jars are, how they get there (Maven's ordinary client, once), and how a program out of them is run, or one of java/ that uses them.
Doesn't own: nodes (tests/nodes.py). `APACHE_KAFKA_LIBS` names a folder of jars, for instance the `libs` of an unpacked release, to use instead.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = "4.3.1"
HERE = Path(__file__).parent
LOG4J2 = HERE / "log4j2.properties"

# What kafka-server-start.sh gives the JVM of a broker.
SERVER_FLAGS = (
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "barnabas" / f"apache-kafka-{VERSION}"
CLASS_ARCHIVE = CACHE / "classes.jsa"
"""Made by class_archive.py. A JVM that it isn't for, or that doesn't find it, loads its classes from the jars, in twice the time."""
# Programs that live for seconds: the first compiler tier alone starts them quicker, and so do classes that are mapped.
_QUICK_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.awt.headless=true", f"-XX:SharedArchiveFile={CLASS_ARCHIVE}", "-Xlog:disable")
QUICK_SERVER_FLAGS = ("-Xmx512m", "-Xms64m", *_QUICK_FLAGS)
TOOL_FLAGS = ("-Xmx256m", *_QUICK_FLAGS)


class ReleaseMissing(RuntimeError):
    """The release can't be had here; the message says what to install or set."""


def java() -> str:
    """The path of the JVM to use."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not found or not Path(found).exists():
        raise ReleaseMissing("java isn't on PATH: install a Java 17 runtime (Debian: openjdk-17-jre-headless) or set JAVA_HOME.")
    return found


def apache_libs() -> Path:
    """The folder with the release's jars, fetched on first use into a cache outside the tree."""
    given = os.environ.get("APACHE_KAFKA_LIBS")
    if given:
        if not any(Path(given).glob("kafka_2.13-*.jar")):
            raise ReleaseMissing(f"APACHE_KAFKA_LIBS={given} holds no kafka_2.13-*.jar; name the folder of Apache Kafka's jars or unset it.")
        return Path(given)
    libs = CACHE / "libs"
    if libs.is_dir():
        return libs
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "fetch.lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        if not libs.is_dir():  # another process may have fetched it while this one waited
            _fetch(libs)
    return libs


def _fetch(libs: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ReleaseMissing("mvn isn't on PATH: install Maven (Debian: maven), or set APACHE_KAFKA_LIBS to the libs folder of Apache Kafka 4.3.1.")
    java()
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        target = Path(scratch) / "libs"
        shutil.copy(HERE / "pom.xml", scratch)  # Maven leaves a target folder beside the pom it reads
        done = subprocess.run(
            [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={target}"],
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=900,
        )
        if done.returncode != 0 or not target.is_dir():
            said = (done.stdout + done.stderr).strip().splitlines()
            raise ReleaseMissing(f"mvn could not fetch Apache Kafka {VERSION}: {said[0] if said else f'exit {done.returncode}'}")
        target.rename(libs)


def java_command(class_name: str, arguments: Sequence[str] = (), flags: Sequence[str] = TOOL_FLAGS) -> list[str]:
    """The command line that runs a class of the release, or a program that uses it: the path of its .java file."""
    classes = f"{apache_libs()}/*"
    if class_name.endswith(".java"):
        classes, class_name = f"{classes}:{_compiled(Path(class_name))}", Path(class_name).stem
    return [java(), *flags, f"-Dlog4j2.configurationFile={LOG4J2}", "-cp", classes, class_name, *arguments]


def _compiled(source: Path) -> Path:
    """A jar with the program's classes, made when this text of it is first run: compiling it takes twice the time of running it."""
    jar = CACHE / "programs" / f"{source.stem}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}.jar"
    if not jar.exists():
        jar.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=jar.parent) as scratch:
            classes, made = Path(scratch) / "classes", Path(scratch) / jar.name
            compiler = [java(), "-XX:TieredStopAtLevel=1", "-m", "jdk.compiler/com.sun.tools.javac.Main"]
            libs = ":".join(map(str, sorted(apache_libs().glob("*.jar"))))
            done = subprocess.run([*compiler, "-d", str(classes), "-cp", libs, str(source)], capture_output=True, text=True, timeout=120)
            if done.returncode != 0:
                raise RuntimeError(f"{source.name} isn't compiled:\n{done.stdout}{done.stderr}")
            with zipfile.ZipFile(made, "w") as archive:
                for path in sorted(classes.rglob("*.class")):
                    archive.write(path, path.relative_to(classes))
            made.rename(jar)
    return jar


def run_tool(
    class_name: str, *arguments: str, stdin: str | None = None, timeout_s: float = 60, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs one of the release's programs to its end; with `check`, a non-zero exit raises with what it printed."""
    done = subprocess.run(java_command(class_name, arguments), input=stdin, capture_output=True, text=True, timeout=timeout_s)
    if check and done.returncode != 0:
        raise RuntimeError(f"{class_name} {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done
