"""A load test of the scorer: traffic as trainers send it, sent by Locust at its own pace, and a report."""
