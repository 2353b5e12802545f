"""Take outputs and counts out of notebooks, so that a change shows what changed."""

import json
import sys
from pathlib import Path


def stripped(text: str) -> str:
    """The notebook without outputs."""
    notebook = json.loads(text)
    for cell in notebook.get("cells", []):
        if cell.get("cell_type") == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    changed = False
    for name in sys.argv[1:]:
        path = Path(name)
        before = path.read_text(encoding="utf-8")
        if (after := stripped(before)) != before:
            path.write_text(after, encoding="utf-8")
            print(f"{name}: outputs taken out; add it again")
            changed = True
    sys.exit(changed)
