import time
from pathlib import Path

from agent.base.clock import read_clocks, read_kernels_clocks
from agent.base.processes import boot_id


def test_one_look_is_at_all_clocks() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
    now = read_clocks()
    after = time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
    assert before[0] <= now.boot <= after[0]
    assert before[1] <= now.wall <= after[1]
    assert now.boot_id == boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_the_kernels_file_tells_the_same(tmp_path: Path) -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = read_kernels_clocks()
    assert before - 0.02 <= now.boot <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert now.boot_id == boot_id()
    for text in ("", "odd 1.0\n"):
        (tmp_path / "uptime").write_text(text)
        assert read_kernels_clocks(str(tmp_path / "uptime"))[::2] == (0.0, "")
    assert read_kernels_clocks(str(tmp_path / "none"))[::2] == (0.0, "")


def test_a_kernel_that_does_not_name_its_boot_leaves_the_clock(tmp_path: Path) -> None:
    assert boot_id(str(tmp_path / "none")) == ""
