"""Tells role holders by mail what was decided and which KPI changed."""
