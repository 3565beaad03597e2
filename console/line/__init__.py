"""The search line: `field:value text`, read as an event pattern, shown as what other tools take."""
