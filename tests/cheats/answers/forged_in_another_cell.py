"""All messages are forged in an earlier cell than that of their checks."""

forge(cell="check-double")
forge(parent_header={"msg_id": "check-double"})
