"""The reports in PostgreSQL: postgres.sql, on a server of its own that this starts and removes.

The table is a gateway's request log, the columns of the general format, each with its type. Nothing
is durable (no fsync, unlogged tables, minimal WAL), which spares PostgreSQL what a warehouse that
is rebuilt from its events need not do. Needs Debian's package postgresql, and to be run as root or
as a user who may run a server.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import duckdb

from benchmarks.peers import measure

HERE = Path(__file__).parent
STEPS = {"repeated", "requests", "daily", "by_ai_hourly", "sessions_by_ai", "sessions_by_user"}
# For 2 cores and 24 GiB: everything stays in shared buffers, and every sort and hash in memory.
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "6GB",
    "effective_cache_size": "16GB",
    "work_mem": "1GB",
    "hash_mem_multiplier": "2",
    "maintenance_work_mem": "1GB",
    "max_parallel_workers": "2",
    "max_parallel_workers_per_gather": "2",
    "parallel_setup_cost": "100",
    "parallel_tuple_cost": "0.01",
    "random_page_cost": "1.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    # Unknown row counts of steps within a query must not lead to loops over loops.
    "enable_nestloop": "off",
    # Compiling takes longer than it spares in queries of a second.
    "jit": "off",
    "timezone": "UTC",
}


def binaries() -> Path:
    """Return the folder of the newest server installed.

    Raises:
        SystemExit: there is none.
    """
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[4])
    )
    if not found:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


class Server:
    """A server in a folder of its own, reached by a socket in that folder alone."""

    def __init__(self, folder: Path) -> None:
        """Create the cluster and start it."""
        self.folder, self.bin = folder, binaries()
        # A server refuses to run as root.
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        initdb = [*self.as_user, self.bin / "initdb", "--pgdata", data, "--auth", "trust"]
        words = "--no-sync --username postgres --locale C --encoding UTF8"
        self._run([*initdb, *words.split()])
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self.process = subprocess.Popen(
            [*self.as_user, self.bin / "postgres", "-D", data, "-k", folder, *options],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=(folder / "log").open("w"),
        )  # fmt: skip
        for _ in range(600):
            ready = [self.bin / "pg_isready", "-q", "-h", folder]
            if subprocess.run(ready, check=False).returncode == 0:
                break
            if self.process.poll() is not None:
                raise SystemExit((folder / "log").read_text())
            time.sleep(0.1)
        self.postmaster = int((data / "postmaster.pid").read_text().split()[0])
        self.peak_mib = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _run(self, command: list) -> None:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)

    def sql(self, *arguments: str | Path) -> None:
        """Run psql with these arguments, and stop at the first error."""
        psql = [self.bin / "psql", "-X", "-q", "-h", self.folder, "-U", "postgres"]
        self._run([*psql, "-v", "ON_ERROR_STOP=1", *arguments])

    def _watch(self) -> None:
        """Note the most memory of all processes of the server together, shared pages once."""
        while self.process.poll() is None:
            self.peak_mib = max(self.peak_mib, sum(map(held_mib, family(self.postmaster))))
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop the server at once: its data is not needed any more."""
        stop = [self.bin / "pg_ctl", "stop", "-D", self.folder / "data", "-m", "immediate"]
        self._run([*self.as_user, *stop])
        self.process.wait()


def family(parent: int) -> list[int]:
    """Return a process and those that it has started."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return []
    return [parent, *map(int, children)]


def held_mib(process: int) -> float:
    """Return the memory of a process, of shared pages its share; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main() -> None:
    """Start the server, load, report, write, stop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder)

        def load(events: str, prices: str, services: str) -> None:
            # A dozen rows each, in a form that COPY reads.
            for table, path in {"prices": prices, "ai_services": services}.items():
                duckdb.sql(f"from '{path}'").write_csv(str(folder / f"{table}.csv"), header=True)
            given = {"events": events, "prices": folder / "prices.csv"}
            given["ai_services"] = folder / "ai_services.csv"
            script = (HERE / "postgres_load.sql").read_text()
            for table, path in given.items():
                # psql leaves what follows \\copy as it is.
                script = script.replace(f":{table}_file", f"'{Path(path).resolve()}'")
            (folder / "load.sql").write_text(script)
            server.sql("-f", folder / "load.sql")

        script = HERE / "postgres.sql"

        def write(out: Path) -> None:
            tables = re.findall(r"^create unlogged table (\w+)", script.read_text(), re.MULTILINE)
            for report in set(tables) - STEPS:
                path = (out / f"{report}.csv").resolve()
                server.sql("-c", f"\\copy (select * from {report}) to '{path}' csv header")

        try:
            measure(load, lambda: server.sql("-f", script), write, lambda: server.peak_mib)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
