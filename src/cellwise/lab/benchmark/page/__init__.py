"""The benchmark's page: tables, forest plots and images."""
