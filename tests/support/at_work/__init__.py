"""What tests of plans at work share."""
