"""What keeps the view honest: setup, migrations, audit, rebuild."""
