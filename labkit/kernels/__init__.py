"""Kernels that start at once, and kernels that may do little: the grader's and the labs'.

A parent process imports Keras once and forks a child for each kernel (`parent`,
`owner`, `provisioner`). A submission's kernel is shut off from the machine
(`confinement`, `namespaces`, `walls`, `bubblewrap`) and watched (`watchdog`, `client`).
"""
