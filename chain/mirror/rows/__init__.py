"""What events make of rows: the projection, the rows it holds in memory, their versions, and whose lots end when."""
