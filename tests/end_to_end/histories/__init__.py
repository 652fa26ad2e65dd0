"""Random histories of a home: what may befall it, night after night, and what it should publish.

oracle.py     what should be published, by the recomputation and what a history adds to it
history.py    a home, and every kind of step that may befall it
watching.py   whether what is published is whole, at every moment
"""
