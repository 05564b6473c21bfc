"""The procedure in depth: criteria sets, frozen rounds with stages, judgements, results, decisions, the log.

The tables of the first edition are replaced. Rounds of that edition are brought back, to be read, by a rebuild from the
stream; no installation held any when this was written.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
TEXTS = sa.ARRAY(sa.String())


def key(name: str, type: Any = None) -> "sa.Column[object]":
    """A part of the primary key."""
    return sa.Column(name, type or sa.String(), primary_key=True, autoincrement=False)


def must(name: str, type: Any = None) -> "sa.Column[object]":
    """A column that is never empty."""
    return sa.Column(name, type or sa.String(), nullable=False)


def may(name: str, type: Any = None) -> "sa.Column[object]":
    """A column that may be empty."""
    return sa.Column(name, type or sa.String(), nullable=True)


def upgrade() -> None:
    """Replace the tables."""
    for table in ("decision", "ballot", "selection_round", "candidate"):
        op.drop_table(table)
    pool_and_criteria()
    rounds()
    judgements()
    results()
    op.create_table(
        "log_entry",
        key("number", sa.BigInteger()),
        must("type"),
        must("data", JSONB()),
        must("previous_sha256"),
        must("sha256"),
    )


def pool_and_criteria() -> None:
    """What rounds draw from."""
    op.create_table(
        "candidate",
        key("project_id"),
        must("version", sa.Integer()),
        must("title"),
        must("fields_of_action", TEXTS),
        must("costs", JSONB()),
        must("profile_sha256"),
        may("listed_at", TIME),
        may("delisted_at", TIME),
    )
    op.create_table(
        "criteria_set",
        key("set"),
        key("version", sa.Integer()),
        must("title"),
        must("criteria", JSONB()),
        must("scale_min", sa.Integer()),
        must("scale_max", sa.Integer()),
        must("reason"),
        may("recorded_by"),
        must("recorded_at", TIME),
    )


def rounds() -> None:
    """Rounds and their candidates."""
    op.create_table(
        "selection_round",
        key("round_id"),
        must("title"),
        must("content", JSONB()),
        must("frozen_sha256"),
        must("stage"),
        must("parts", sa.Integer()),
        must("frozen_by"),
        must("frozen_at", TIME),
        must("discuss", TEXTS),
        may("assessed_from", TIME),
        may("voted_from", TIME),
        may("ended_at", TIME),
    )
    op.create_table(
        "round_candidate",
        sa.Column("round_id", sa.String(), sa.ForeignKey("selection_round.round_id"), primary_key=True),
        key("project_id"),
        must("place", sa.Integer()),
        must("version", sa.Integer()),
        must("title"),
        must("fields_of_action", TEXTS),
        must("costs", JSONB()),
        must("profile_sha256"),
    )
    op.create_index("round_candidate_project", "round_candidate", ["project_id"])


def judgements() -> None:
    """What people said."""
    op.create_table(
        "judgement",
        *(key(name) for name in ("round_id", "voice", "project_id", "voter")),
        key("version", sa.Integer()),
        must("scores", sa.ARRAY(sa.SmallInteger())),
        must("comment"),
        must("at", TIME),
        must("sha256", sa.LargeBinary()),
        must("counts", sa.Boolean()),
        must("current", sa.Boolean()),
    )
    op.create_table("progress", key("round_id"), key("voice"), key("voter"), must("given", sa.Integer()))
    op.create_table(
        "recusal",
        *(key(name) for name in ("round_id", "project_id", "holder")),
        must("reason"),
        must("declared_by"),
        must("declared_at", TIME),
        must("sha256", sa.LargeBinary()),
    )
    op.create_table(
        "votes",
        key("round_id"),
        key("voice"),
        key("version", sa.Integer()),
        must("ballots", JSONB()),
        must("advice"),
        must("recorded_by"),
        must("recorded_at", TIME),
        must("sha256", sa.LargeBinary()),
    )


def results() -> None:
    """What was computed and decided."""
    op.create_table(
        "closing",
        key("round_id"),
        must("judgements", sa.Integer()),
        must("judgements_sha256"),
        must("complete_voters", sa.Integer()),
        must("result_sha256"),
        must("parts", sa.Integer()),
        must("summary", JSONB()),
        must("closed_by"),
        must("closed_at", TIME),
    )
    op.create_table(
        "result_line", key("round_id"), key("place", sa.Integer()), must("project_id"), must("line", JSONB())
    )
    op.create_table(
        "decision",
        key("round_id"),
        must("title"),
        must("frozen_sha256"),
        must("result_sha256"),
        must("lines", JSONB()),
        must("candidates", sa.Integer()),
        must("staffing", JSONB()),
        may("session"),
        must("note"),
        must("decided_by"),
        must("decided_at", TIME),
        may("log", JSONB()),
    )


def downgrade() -> None:
    """Refuse: what was said since does not fit into the old tables."""
    raise NotImplementedError("The procedure in depth has no way back; restore a backup.")
