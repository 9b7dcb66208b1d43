"""What comes out of grading: pages, tables and files."""
