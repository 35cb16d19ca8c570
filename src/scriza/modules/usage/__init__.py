"""What was used and what it costs: metering, credit, alerts, summaries, invoices."""
