"""sensor-ingest: takes readings from companies and keeps them."""
