"""Versions of everything in one table; gaps, contacts, rounds. What was registered becomes version 1."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FIELDS = """
INSERT INTO entry (kind, id, version, valid_from, recorded_at, reason, content, title, status, fields_of_action, goals)
SELECT 'field', field, 1, at, at, 'catalogue',
    jsonb_build_object('field', field, 'title', title, 'position', position, 'status', 'active'),
    title, 'active', '{}', '{}'
FROM field_of_action, (SELECT min(imported_at) AS at FROM catalogue) AS imported
"""
GOALS = """
INSERT INTO entry (kind, id, version, valid_from, recorded_at, reason, content, title, status, fields_of_action, goals)
SELECT 'goal', goal, 1, at, at, 'catalogue',
    jsonb_build_object('goal', goal, 'title', title, 'group', goal_group, 'position', position, 'status', 'active'),
    title, 'active', '{}', '{}'
FROM strategic_goal, (SELECT min(imported_at) AS at FROM catalogue) AS imported
"""
PROJECTS = """
INSERT INTO entry (
    kind, id, version, valid_from, recorded_at, reason, content, title, status, fields_of_action, goals,
    officer, partner, origin, registered_at)
SELECT 'project', project_id, 1, registered_at, registered_at, 'registered',
    jsonb_strip_nulls(jsonb_build_object(
        'title', title,
        'summary', nullif(summary, ''),
        'fields_of_action', CASE WHEN cardinality(fields_of_action) > 0 THEN to_jsonb(fields_of_action) END,
        'goals', (SELECT jsonb_agg(jsonb_build_object('goal', goal, 'contribution', '') ORDER BY place)
                  FROM unnest(goals) WITH ORDINALITY AS said(goal, place)),
        'officer', officer)),
    title, 'proposed', fields_of_action, goals, officer, partner, origin, registered_at
FROM project
"""
BACK = (
    """
INSERT INTO field_of_action
SELECT id, title, (content ->> 'position')::integer FROM entry WHERE kind = 'field' AND valid_until IS NULL
""",
    """
INSERT INTO strategic_goal
SELECT id, title, content ->> 'group', (content ->> 'position')::integer
FROM entry WHERE kind = 'goal' AND valid_until IS NULL
""",
    """
INSERT INTO project
SELECT id, title, coalesce(content ->> 'summary', ''), fields_of_action, goals,
    CASE origin WHEN 'catalogue' THEN origin ELSE 'proposal' END, partner, officer, registered_at
FROM entry WHERE kind = 'project' AND valid_until IS NULL
""",
)


def upgrade() -> None:
    """Make the new tables, move what there is, drop the old ones."""
    _entry()
    _others()
    for statement in (FIELDS, GOALS, PROJECTS):
        op.execute(statement)
    for table in ("project", "strategic_goal", "field_of_action"):
        op.drop_table(table)


def _entry() -> None:
    op.create_table(
        "entry",
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        _time("valid_from"),
        _time("valid_until", nullable=True),
        _time("recorded_at"),
        sa.Column("recorded_by", sa.String()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("fields_of_action", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("goals", sa.ARRAY(sa.String()), nullable=False),
        *(sa.Column(name, sa.String()) for name in ("department", "officer", "partner", "origin", "round_id")),
        _time("registered_at", nullable=True),
    )
    last = sa.text("valid_until IS NULL")
    op.create_index("entry_now", "entry", ["kind", "id"], postgresql_where=last)
    held: list[Any] = ["kind", "id", sa.text("valid_from DESC"), sa.text("version DESC")]
    op.create_index("entry_held", "entry", held)
    op.create_index("entry_department", "entry", ["department"], postgresql_where=last)
    op.create_index("entry_round", "entry", ["round_id"], postgresql_where=last)


def _others() -> None:
    op.create_table(
        "gap",
        sa.Column("organisation", sa.String(), primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        _time("recorded_at"),
        sa.Column("projects", sa.ARRAY(sa.String()), nullable=False),
    )
    op.create_table(
        "contact",
        sa.Column("holder", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mail", sa.String()),
        sa.Column("phone", sa.String()),
        _time("noted_at"),
    )
    op.create_table(
        "selection_round",
        sa.Column("round_id", sa.String(), primary_key=True),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
    )
    op.create_table(
        "round_candidate",
        sa.Column("round_id", sa.String(), primary_key=True),
        sa.Column("project_id", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
    )


def _time(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def downgrade() -> None:
    """Keep what counts now; versions, contacts and gaps are lost."""
    _old_tables()
    for statement in BACK:
        op.execute(statement)
    for table in ("round_candidate", "selection_round", "contact", "gap", "entry"):
        op.drop_table(table)


def _old_tables() -> None:
    op.create_table(
        "field_of_action",
        sa.Column("field", sa.String(), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
    )
    op.create_table(
        "strategic_goal",
        sa.Column("goal", sa.String(), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("goal_group", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
    )
    op.create_table(
        "project",
        sa.Column("project_id", sa.String(), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("fields_of_action", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("goals", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("partner", sa.String()),
        sa.Column("officer", sa.String()),
        _time("registered_at"),
    )
