"""All that people see: rows, tables, plots and pages."""
