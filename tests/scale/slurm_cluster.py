"""A real Slurm on this machine for tests: one controller, two nodes of one processor each.

Own settings, ports on the loopback address, keys, spool and state under one folder; everything that
was started is ended by its process id. Needs root, `slurmctld`, `slurmd`, the commands of Slurm and
`munged`, as Debian's packages have them (`make slurm`).
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import SkipTest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin"
PARTITION = "all"
NODES = ("node1", "node2")
_SETTINGS = """
ClusterName=cellwise
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ReturnToService=2
KillWait=3
SlurmdTimeout=10
BatchStartTimeout=30
SchedulerParameters=sched_interval=2,batch_sched_delay=0,requeue_delay=1
SlurmdParameters=config_overrides
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool/%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.%n.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.%n.log
NodeName=DEFAULT CPUs=1 RealMemory=16000 State=UNKNOWN
NodeName={names} NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}]
PartitionName={partition} Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Why no Slurm can be started here; empty where it can."""
    if os.environ.get("CELLWISE_SLURM") != "1":
        return "a real Slurm is started by `make test-slurm` (CELLWISE_SLURM=1)"
    if os.name != "posix" or os.geteuid() != 0:
        return "a Slurm for tests is started as root"
    gone = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    return f"Slurm is not installed ({', '.join(gone)}): see `make slurm`" if gone else ""


def _path():
    return f"{os.environ.get('PATH', '')}:{PLACES}"


@dataclass
class Cluster:
    """A Slurm that runs.

    Args:
        home: Folder of its settings, logs and state.
        environment: What programs need to find it: SLURM_CONF and PATH.
        partition: The name of its one partition, of two nodes with one processor each.
        daemons: What was started, by name: `munged`, `slurmctld` and the names of the nodes.
    """

    home: Path
    environment: dict = field(default_factory=dict)
    partition: str = PARTITION
    daemons: dict = field(default_factory=dict)

    def call(self, *words: object, **options: Any) -> str:
        """Run a program with this Slurm in its surroundings; its output, or an error with it."""
        options = {"capture_output": True, "text": True, "timeout": 60, **options}
        done = subprocess.run(list(map(str, words)), env=self.environment, check=False, **options)
        if done.returncode:
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def submit(self, *words):
        """Submit a batch job with these words of `sbatch`; its number."""
        return self.call("sbatch", "--parsable", *words).strip().partition(";")[0]

    def states(self):
        """State of each job and array task that Slurm still knows, by its name such as `7_2`."""
        lines = self.call("squeue", "--all", "--array", "--noheader", "-t", "all", "-o", "%i %T")
        return dict(line.split() for line in lines.splitlines())

    def wait(self, condition, *, limit, what):
        """Wait until the condition of `states()` holds, at most so many seconds."""
        end = time.monotonic() + limit
        while not condition(self.states()):
            if time.monotonic() > end:
                raise TimeoutError(f"{what} after {limit} s: {self.states()}\n{self.said()}")
            time.sleep(0.5)

    def wait_for_all(self, *, limit: float) -> dict[str, str]:
        """Wait until no job is waiting or running; the last states, by name."""
        over = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
        self.wait(lambda s: set(s.values()) <= over, limit=limit, what="jobs are not over")
        return self.states()

    def said(self) -> str:
        """The ends of all logs."""
        logs = sorted(self.home.glob("*.log"))
        return "\n".join(f"{p.name}: {p.read_text(errors='replace')[-1500:]}" for p in logs)

    def start(self, name, *words):
        """Start a daemon in the foreground, under a name to end it by."""
        log = (self.home / f"{name}.out.log").open("ab")
        with log:
            self.daemons[name] = subprocess.Popen(
                list(map(str, words)), env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def start_node(self, name):
        """Start the `slurmd` of a node, also after it was killed."""
        self.start(name, "slurmd", "-D", "-N", name)

    def kill(self, name):
        """Kill a daemon with SIGKILL."""
        process = self.daemons.pop(name)
        process.kill()
        process.wait()

    def lose(self, name):
        """Kill the daemon of a node and all that runs on the node, as where power is lost."""
        steps = [pid for pid in processes_of(name) if pid != self.daemons[name].pid]
        self.kill(name)
        for pid in steps:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def end(self):
        """End all daemons, and jobs that they have left."""
        for name in reversed(list(self.daemons)):
            process = self.daemons.pop(name)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in _with_variable("SLURM_CONF", str(self.home / "slurm.conf")):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def processes_of(node):
    """The processes that name a node among their words or in their environment."""
    found = set()
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
                surroundings = (path / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"SLURMD_NODENAME={node}".encode() in surroundings or (
                b"slurmd" in words[0] and node.encode() in words
            ):
                found.add(int(path.name))
    return found


@contextmanager
def slurm(home):
    """A Slurm with its files in this folder, for as long as the context lasts."""
    for name in ("state", "spool", *(f"spool/{node}" for node in NODES)):
        (home / name).mkdir(parents=True)
    settings = home / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    names = f"node[1-{len(NODES)}]"
    ports = _free_ports()
    settings.write_text(
        _SETTINGS.format(home=home, host=host, ports=ports, names=names, partition=PARTITION)
    )
    key = home / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    cluster = Cluster(home, {**os.environ, "PATH": _path(), "SLURM_CONF": str(settings)})
    try:
        cluster.start(
            "munged", "munged", "--foreground", "--force", f"--socket={home}/munge.socket",
            f"--key-file={key}", f"--log-file={home}/munged.log", f"--pid-file={home}/munged.pid",
            f"--seed-file={home}/munged.seed",
        )  # fmt: skip
        try:
            _wait_for_file(home / "munge.socket", cluster)
            cluster.start("slurmctld", "slurmctld", "-D", "-i")
            for node in NODES:
                cluster.start_node(node)
            _wait_for_nodes(cluster)
        except TimeoutError as error:
            raise SkipTest(f"Slurm does not start on this machine: {error}") from error
        yield cluster
    finally:
        cluster.end()


def _free_ports():
    """Three ports of which the last two follow each other."""
    for _ in range(100):
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            try:
                one.bind(("127.0.0.1", 0))
                two.bind(("127.0.0.1", 0))
                first = two.getsockname()[1]
                three.bind(("127.0.0.1", first + 1))
            except (OSError, OverflowError):
                continue
            return one.getsockname()[1], first, first + 1
    raise OSError("no free ports")


def _wait_for_file(path, cluster, *, limit=20.0):
    end = time.monotonic() + limit
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"no {path} after {limit} s\n{cluster.said()}")
        time.sleep(0.1)


def _wait_for_nodes(cluster, *, limit=60.0):
    end = time.monotonic() + limit
    while True:
        with suppress(AssertionError, subprocess.TimeoutExpired):
            states = cluster.call("sinfo", "--noheader", "--Node", "-o", "%N %t").split()[1::2]
            if len(states) == len(NODES) and set(states) == {"idle"}:
                return
        if time.monotonic() > end:
            raise TimeoutError(f"nodes are not idle after {limit} s\n{cluster.said()}")
        time.sleep(0.5)


def _with_variable(name, value):
    """Processes that have this variable in their surroundings, but for this one."""
    wanted = f"{name}={value}".encode()
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            with suppress(OSError):
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    yield int(path.name)
