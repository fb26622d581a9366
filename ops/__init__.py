"""What runs around the product: a local Kafka now; Prometheus rules, dashboards and container files beside it."""
