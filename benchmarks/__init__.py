"""Measurements that need a quiet machine; not part of the tests."""
