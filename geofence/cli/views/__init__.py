"""Reports as text for people and as JSON, one module for each verb or subject."""
