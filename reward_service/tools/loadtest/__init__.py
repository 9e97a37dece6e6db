"""Load-test the service: Locust sends traffic as trainers do, at planned times, and a report follows."""
