"""Which role holds which scope, as the documentation tells."""

from pathlib import Path

from scriza.kernel.scopes import Scope
from scriza.modules.accounts.roles import SCOPES

PAGE = Path(__file__).parents[2] / "docs" / "accounts.md"


def test_the_documentation_s_table_is_what_is_in_force() -> None:
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ")
    ]
    roles = rows[0][1:]
    told = {scope: {role for role, cell in zip(roles, cells, strict=True) if cell} for scope, *cells in rows[1:]}
    assert told == {scope.value: {role for role, held in SCOPES.items() if scope in held} for scope in Scope}
