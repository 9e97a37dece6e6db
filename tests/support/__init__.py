"""What tests of several folders use: services, servers, fakes, and waiting."""
