"""What people made: `/history`, other forms of a result, and inline mode."""
