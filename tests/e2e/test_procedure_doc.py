"""The commands of docs/procedure.md, run as they stand there, answer as the page says."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from oker_testkit.stack import ROOT, Stack

PAGE = ROOT / "docs" / "procedure.md"
MARK = "=== block "
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)
SAID = re.compile(r"^(?:\d{3}$|(?:NOT )?VERIFIED(?=:))", re.MULTILINE)


def blocks(page: str) -> list[tuple[list[str], str]]:
    """What the text before a block promises after its arrow, and the block."""
    texts = BLOCK.split(page)
    promised = [text.rpartition("→")[2] if "→" in text else "" for text in texts[::2]]
    return [(re.findall(r"`([^`]+)`", said), block) for said, block in zip(promised, texts[1::2], strict=False)]


async def test_the_page_can_be_followed_word_by_word(stack: Stack, tmp_path: Path) -> None:
    shown = blocks(PAGE.read_text("utf-8"))
    script = "set -u\n" + "".join(f"echo '{MARK}{at}'\n{block}" for at, (_, block) in enumerate(shown))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "OKER_ENV_FILE": str(stack.folder / "env"), "TMPDIR": str(tmp_path)}

    run = await asyncio.to_thread(
        subprocess.run, ["bash"], input=script, env=env, cwd=ROOT, capture_output=True, text=True, timeout=150
    )

    parts = re.split(rf"^{MARK}\d+\n", run.stdout, flags=re.MULTILINE)[1:]
    seen = [SAID.findall(part) for part in parts]
    promised = [said for said, _ in shown]
    assert list(enumerate(seen)) == list(enumerate(promised)), run.stdout
    assert "never seen" not in run.stdout
    assert "nothing was changed" not in run.stdout
    assert run.returncode == 0, run.stderr
    assert sum(map(len, promised)) > 30
