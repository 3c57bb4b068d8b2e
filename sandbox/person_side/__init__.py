"""The person side: what people do and see, under `/sim`."""
