"""Models of fate: trained, used and explained."""
