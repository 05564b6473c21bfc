"""Lays out when the strategy is evaluated, and assesses the KPIs of projects."""
