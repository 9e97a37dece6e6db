"""What consumes the streams: settling, claiming what dead workers left, closing what is overdue."""
