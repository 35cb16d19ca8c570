"""Playbooks as source code: read, checked, compared, merged and kept as versions."""
