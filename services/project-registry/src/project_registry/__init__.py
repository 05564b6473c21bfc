"""The register of Smart-City projects: the catalogue of the strategy and what companies propose."""
