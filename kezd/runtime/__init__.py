"""What every part of a process needs: clock, bus, config, paths, logs."""
