"""Grading: plan, map, reduce.

plan (`engine`): which submissions, sanitised by nbgrader's own preprocessors.
map (`execute`): run one notebook in a fresh kernel; results are stored by content.
reduce (`nbgrader_parts`): nbgrader's Autograde converter, one submission after the
other, with execution replaced by the stored result and checks judged against the
references (`reference`).
"""
