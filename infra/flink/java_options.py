"""What the Java processes of the local cluster are started with: sizes of memory, opened modules, Flink's settings."""

from dataclasses import dataclass
from pathlib import Path

_MB = 2**20
_OPENED = ("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent")
_OPENED_DEEP = ("util.concurrent.atomic", "util.concurrent.locks")

JVM = [
    # Flink reflects into these modules; its own start scripts, which the PyPI package leaves out, open them, too.
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in (*_OPENED, *_OPENED_DEEP)),
    # Short jobs on few cores: compile quickly, collect garbage in one thread.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
]
CLIENT_JVM = ["-Xmx384m"]


@dataclass(frozen=True)
class JavaProcess:
    """How one of Flink's processes is started."""

    main_class: str
    jvm: tuple[str, ...]
    settings: tuple[str, ...]


JOB_MANAGER = JavaProcess(
    "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    ("-Xmx384m",),
    ("-D", f"jobmanager.memory.off-heap.size={128 * _MB}b"),
)


def _memory(key: str, megabytes: int) -> tuple[str, str]:
    return "-D", f"taskmanager.memory.{key}={megabytes * _MB}b"


TASK_MANAGER = JavaProcess(
    "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
    ("-Xmx256m", "-Xms64m", "-XX:MaxDirectMemorySize=192m"),
    (
        *("-D", "taskmanager.cpu.cores=1"),
        *_memory("task.heap.size", 128),
        *_memory("framework.heap.size", 128),
        *_memory("managed.size", 64),
        *_memory("network.min", 64),
        *_memory("network.max", 64),
        *_memory("framework.off-heap.size", 128),
        *_memory("task.off-heap.size", 0),
        *_memory("jvm-metaspace.size", 256),
        *_memory("jvm-overhead.min", 96),
        *_memory("jvm-overhead.max", 96),
    ),
)

LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %c{1} - %m%n
"""


def flink_conf(rest_port: int, rpc_port: int, slots: int, folder: Path) -> str:
    """Flink's configuration file; the heartbeat is short, so that a dead TaskManager is noticed within seconds."""
    return f"""\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc_port}
jobmanager.bind-host: 127.0.0.1
taskmanager.host: localhost
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: {slots}
rest.address: localhost
rest.bind-address: 127.0.0.1
rest.port: {rest_port}
rest.bind-port: {rest_port}
io.tmp.dirs: {folder}
heartbeat.interval: 1000
heartbeat.timeout: 5000
restart-strategy.type: failure-rate
restart-strategy.failure-rate.max-failures-per-interval: 3
restart-strategy.failure-rate.failure-rate-interval: 10 min
restart-strategy.failure-rate.delay: 1 s
jobmanager.execution.failover-strategy: region
"""
