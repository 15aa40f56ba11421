"""What both halves stand on: metric names, histogram bounds, trace ids, ECS logs, process readings."""
