"""The sandbox's own pages and controls: nothing here is Simli's."""
