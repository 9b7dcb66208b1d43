"""What a student's own machine does: JupyterLab, the checks of a notebook, the doctor."""
