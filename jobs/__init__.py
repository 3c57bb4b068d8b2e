"""The contract where the bot and the workers meet: errors, models, settings, templates."""
