"""The Streamlit pieces that pages share.

serve           the server, with everything loaded before it answers
server          how it is set up: open files, sessions that have left, the browser
closing         what becomes of trainings when the server is closed
resources       what all sessions of a server share: the store, the data sets, downloads
frame           what surrounds every page
failures        where a failure ends: as a sentence on the page
address         the page's URL: the configuration, the run and the moment it shows
config_form     the sidebar in which a run is set up
data_notice     fetching a data set, or saying why it is not available
run_picker      which run is shown
moment          the network as it was at one snapshot of a run, and how it reads the digits
scrubber        which moment is shown, by hand or as a film
preview         what a configuration will be and cost, before it is started
rate_test       finding a learning rate for it
run_view        a run as it stands, live while it is active
progress        how far it has got, read once for all who watch it
curves          its learning curves, drawn once for all
unreadable      runs and rows that cannot be read
turns           redraws one after the other, at a pace that the server keeps up with
digits_shown    a gallery of digits with the answers to them
explanation     why one digit is read as it is
layer_outputs   what the layers of a network do at a moment
layer_by_layer  one digit on its way through a network
canvas          a sheet to draw on
chart           a chart or a table, in words too, and to be saved
saving          the buttons that save them, as PNG, SVG and CSV
words           numbers as people read them
"""
