"""`danshi classify FILE`: tables of any size, read and written as a stream."""
